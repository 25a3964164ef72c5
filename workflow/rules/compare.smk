# empty for now
