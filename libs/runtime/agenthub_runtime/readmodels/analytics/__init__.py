"""Figures over many goals: how long, how much, how often right at once."""

from __future__ import annotations

from agenthub_runtime.readmodels.analytics.queries import (
    AgentFigures,
    GateFigures,
    GoalFigures,
    ModelFigures,
    agent_figures,
    gate_figures,
    goal_figures,
    model_figures,
)

__all__ = [
    "AgentFigures",
    "GateFigures",
    "GoalFigures",
    "ModelFigures",
    "agent_figures",
    "gate_figures",
    "goal_figures",
    "model_figures",
]
