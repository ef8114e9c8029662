"""How likely each recognized word is right, and what a person should compare with the page."""
