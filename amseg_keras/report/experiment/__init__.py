"""What one experiment is shown by: figures, a movie, and a report."""
