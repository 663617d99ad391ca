"""What a user looks at and takes along: label files, overlays, movies."""
