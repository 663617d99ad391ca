"""Parts of the report that are not about one experiment: drawings, definitions, vector figures."""
