"""Training: gradients, optimisers, schedules, batches."""
