"""Static texture: packed powder and rough plates."""
