"""Show one experiment: figures, a movie, and a report."""
