package main

import (
	"encoding/json"
	"math"
	"net/http"
	"os"

	"github.com/go-chi/chi/v5"
)

type place struct{ lat, lon float64 }

var harbours = map[string]place{
	"hamburg": {53.54, 9.98},
	"halifax": {44.65, -63.57},
	"sydney":  {-33.86, 151.21},
}

func routes() http.Handler {
	router := chi.NewRouter()
	router.Get("/", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]any{"service": "go-web", "distance": "/distance/{from}/{to}"})
	})
	router.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]any{"ok": true, "version": os.Getenv("SLIPWAY_VERSION")})
	})
	router.Get("/distance/{from}/{to}", func(w http.ResponseWriter, r *http.Request) {
		from, known := harbours[chi.URLParam(r, "from")]
		to, alsoKnown := harbours[chi.URLParam(r, "to")]
		if !known || !alsoKnown {
			answer(w, http.StatusNotFound, map[string]any{"error": "no such harbour"})
			return
		}
		answer(w, http.StatusOK, map[string]any{"kilometres": math.Round(distance(from, to))})
	})
	return router
}

// distance in kilometres on a sphere.
func distance(a, b place) float64 {
	const radius, degree = 6371.0, math.Pi / 180
	dLat, dLon := (b.lat-a.lat)*degree, (b.lon-a.lon)*degree
	h := math.Pow(math.Sin(dLat/2), 2) + math.Cos(a.lat*degree)*math.Cos(b.lat*degree)*math.Pow(math.Sin(dLon/2), 2)
	return 2 * radius * math.Asin(math.Sqrt(h))
}

func answer(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
