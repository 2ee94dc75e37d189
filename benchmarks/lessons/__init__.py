"""The study's sentences, each with the figure that shows it on the real loans."""
