"""What runs in the zygote and in the processes it forks. Standard library only."""
