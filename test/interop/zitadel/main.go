// A peer of Dragoman in Go, by the library zitadel/oidc: an authorization server of another domain, and the client and
// the verifier that the library has. It says where it listens in its first line, and then answers each line of its input
// with one of its own, as JSON.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"log"
	"net"
	"net/http"
	"os"
)

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: zitadel-peer PORT TRUSTED-ISSUER AUDIENCE")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	issuer := "http://" + listener.Addr().String()
	handler, err := newServer(issuer, os.Args[2], os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(http.Serve(listener, handler)) }()

	answers := json.NewEncoder(os.Stdout)
	if err := answers.Encode(map[string]string{"issuer": issuer}); err != nil {
		log.Fatal(err)
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var asked request
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			log.Fatal(err)
		}
		answer, err := asked.answer(context.Background())
		if err != nil {
			answer = map[string]string{"error": err.Error()}
		}
		if err := answers.Encode(answer); err != nil {
			log.Fatal(err)
		}
	}
}
