"""A document through an engine: pages in flight, order, retries, fairness between documents."""
