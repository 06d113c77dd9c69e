"""The connector `data`: what is done to lists of values, and the text formats they come in. Touches nothing but its inputs."""

from ipaas.plugin import Connector

data = Connector("data")
