"""Static validation of a bundle's files, before Keras or TensorFlow is imported."""
