"""Tables: cells from rules, from white space or from the table model, and their HTML."""
