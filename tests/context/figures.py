"""Figures of Matplotlib and Plotly.

Plotly's have summaries of their own here: pictures of them need a browser, without which DAMNIT stores
nothing of the run.
"""
import numpy as np
from damnit_ctx import Cell, Variable
from matplotlib.figure import Figure


@Variable
def drawn(run):
    figure = Figure()
    axes = figure.add_subplot(title="Drawn")
    axes.plot([1, 3, 2], "o-")
    return figure


@Variable
def axes_of_a_figure(run):
    axes = Figure(figsize=(3, 5)).add_subplot()
    axes.imshow(np.arange(20).reshape(4, 5))
    return axes


@Variable
def small_figure(run):
    figure = Figure(figsize=(1, 0.5), dpi=100)
    figure.add_subplot().plot([1, 2])
    return figure


@Variable
def of_pyplot(run):
    import matplotlib.pyplot as plt
    figure, axes = plt.subplots(figsize=(8, 2))
    axes.bar(["a", "b"], [1, 2])
    return figure


@Variable
def drawn_as_preview(run, figure: "var#drawn"):
    return Cell(np.zeros((2, 3, 4)), preview=figure)


@Variable
def interactive(run):
    import plotly.graph_objects as go
    figure = go.Figure(go.Scatter(x=[1, 2, 3], y=[4.0, 5.5, 5.0], name="schön"), layout={"title": {"text": "Plotly"}})
    return Cell(figure, summary_value="a figure")


@Variable
def interactive_preview(run):
    import plotly.graph_objects as go
    return Cell(7, preview=go.Figure(go.Bar(x=["a"], y=[1])), summary_value=7)
