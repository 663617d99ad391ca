"""What a preset that comes from elsewhere may hold, checked before any of it is used."""
