"""The first look at a person's images: what is there, what a study of it should be, and its config (`ftbench init`)."""
