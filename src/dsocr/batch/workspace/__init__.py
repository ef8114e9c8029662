"""A batch of documents in a folder or a bucket: planned, read by many workers, exported."""
