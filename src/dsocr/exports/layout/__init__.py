"""Lines and words with their places, and XML, for formats that give a place for every word."""
