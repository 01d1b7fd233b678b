import unittest

from app import app


class Tides(unittest.TestCase):
    def setUp(self):
        self.client = app.test_client()

    def test_a_known_harbour_has_a_tide(self):
        self.assertEqual(self.client.get("/tides/Bristol").get_json()["metres"], 12.3)

    def test_an_unknown_harbour_is_a_404(self):
        self.assertEqual(self.client.get("/tides/atlantis").status_code, 404)

    def test_it_says_that_it_is_healthy(self):
        self.assertTrue(self.client.get("/healthz").get_json()["ok"])
