"""How good a deployment's solutions are on events that no training has seen."""
