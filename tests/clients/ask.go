// Go's default client.
package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
)

var base = os.Args[1]

func main() {
	row, many := read(os.Args[2]), read(os.Args[3])
	ask("row", post(bytes.NewReader(row)))
	ask("row", post(bytes.NewReader(row)))
	// A reader of unknown length is sent in chunks.
	ask("row", post(io.MultiReader(bytes.NewReader(row))))
	expecting := post(bytes.NewReader(many))
	expecting.Header.Set("Expect", "100-continue")
	ask("many", expecting)
	head, err := http.NewRequest("HEAD", base+"/health/live", nil)
	check(err)
	ask("head", head)
}

func read(path string) []byte {
	content, err := os.ReadFile(path)
	check(err)
	return content
}

func post(body io.Reader) *http.Request {
	request, err := http.NewRequest("POST", base+"/predict/mc?seed=42&passes=100", body)
	check(err)
	request.Header.Set("Content-Type", "application/json")
	return request
}

func ask(name string, request *http.Request) {
	answer, err := http.DefaultClient.Do(request)
	check(err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	check(err)
	fmt.Printf("%s\t%d\t%s\n", name, answer.StatusCode, body)
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
