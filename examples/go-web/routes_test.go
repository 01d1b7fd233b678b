package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func get(path string) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	routes().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
	return recorder
}

func TestTheDistanceIsTheSameBothWays(t *testing.T) {
	there, back := get("/distance/hamburg/sydney"), get("/distance/sydney/hamburg")
	if there.Code != http.StatusOK || there.Body.String() != back.Body.String() {
		t.Fatalf("%d %s and %s", there.Code, there.Body, back.Body)
	}
}

func TestAnUnknownHarbourIsNotFound(t *testing.T) {
	if code := get("/distance/hamburg/atlantis").Code; code != http.StatusNotFound {
		t.Fatalf("got %d", code)
	}
}

func TestItSaysThatItIsHealthy(t *testing.T) {
	if body := get("/healthz").Body.String(); !strings.Contains(body, `"ok":true`) {
		t.Fatal(body)
	}
}
