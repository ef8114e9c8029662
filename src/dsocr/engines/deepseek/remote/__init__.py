"""The engine `remote`: servers of the model that speak the OpenAI API, as one pool."""
