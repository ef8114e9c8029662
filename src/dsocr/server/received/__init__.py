"""What a request sends: forms and their files, documents of URLs, uploaded results."""
