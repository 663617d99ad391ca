"""What X-rays and a camera make of a scene: attenuation, phase fringes, detector."""
