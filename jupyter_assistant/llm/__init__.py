"""Language models behind one seam: ``Model.stream(messages)`` yields events, whoever answers.

The law: the dialects (``openai``, ``faults``, ``think``) are pure, ``client`` alone meets the network, and importing
this room loads neither httpx nor anything else that is heavy.
"""

from .client import Client
from .model import GatewayModel, Model
from .models import OFFLINE_ID, Models
from .provider import LOCAL_SERVERS, OFFLINE, Options, Provider

__all__ = ["LOCAL_SERVERS", "OFFLINE", "OFFLINE_ID", "Client", "GatewayModel", "Model", "Models", "Options", "Provider"]
