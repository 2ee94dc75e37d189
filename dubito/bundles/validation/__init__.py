"""What files alone can show about a bundle, before Keras or TensorFlow is imported."""
