"""Show results: label files, overlays, movies, reports."""
