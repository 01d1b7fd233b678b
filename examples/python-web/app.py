import os

from flask import Flask, jsonify

app = Flask(__name__)

TIDES = {"hamburg": 3.6, "bristol": 12.3, "halifax": 2.1}


@app.get("/")
def index():
    return jsonify(service="python-web", tides="/tides/<harbour>")


@app.get("/healthz")
def healthz():
    return jsonify(ok=True, version=os.environ.get("SLIPWAY_VERSION", "development"))


@app.get("/tides/<harbour>")
def tide(harbour):
    metres = TIDES.get(harbour.lower())
    if metres is None:
        return jsonify(error="no such harbour"), 404
    return jsonify(harbour=harbour.lower(), metres=metres)
