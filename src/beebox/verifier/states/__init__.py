"""What is known at a point of a path: values, frames, what is held, and facts joined over paths."""
