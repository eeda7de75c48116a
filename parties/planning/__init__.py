"""What a job comes down to: kinds by name, its plan, what it will take, its answer."""
