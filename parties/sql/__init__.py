"""SQL over tables nobody sees whole: from text to a plan that every member finds by itself; figures to an answer."""
