// A peer of Dragoman in Go, by ory/fosite, which is the engine of Ory Hydra: an authorization server that redeems grants
// (RFC 7523) of one gateway of another domain. It says where it listens in its first line, and ends with its input.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/go-jose/go-jose/v3"
	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/rfc7523"
	"github.com/ory/fosite/storage"
)

const scope = "claims.create"

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: fosite-peer PORT TRUSTED-ISSUER")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	issuer := "http://" + listener.Addr().String()
	go func() { log.Fatal(http.Serve(listener, newServer(issuer+"/token", os.Args[2]))) }()
	if err := json.NewEncoder(os.Stdout).Encode(map[string]string{"issuer": issuer}); err != nil {
		log.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		log.Fatal(err)
	}
}

// newServer answers at its token endpoint as the library does.
func newServer(tokenURL, trusted string) http.Handler {
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		log.Fatal(err)
	}
	config := &fosite.Config{
		AccessTokenLifespan:           time.Minute,
		GlobalSecret:                  secret,
		TokenURL:                      tokenURL,
		GrantTypeJWTBearerMaxDuration: 5 * time.Minute,
		// Its client's secret is no secret.
		HashCost: 4,
	}
	store := &keys{storage.NewMemoryStore(), trusted}
	hash, err := (&fosite.BCrypt{Config: config}).Hash(context.Background(), []byte("service-secret"))
	if err != nil {
		log.Fatal(err)
	}
	store.Clients["service"] = &fosite.DefaultClient{
		ID:         "service",
		Secret:     hash,
		GrantTypes: []string{"urn:ietf:params:oauth:grant-type:jwt-bearer"},
		Scopes:     []string{scope},
	}
	strategy := &compose.CommonStrategy{CoreStrategy: compose.NewOAuth2HMACStrategy(config)}
	provider := compose.Compose(config, store, strategy, compose.RFC7523AssertionGrantFactory)
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		ctx := request.Context()
		session := &session{JWTSession: &oauth2.JWTSession{}}
		access, err := provider.NewAccessRequest(ctx, request, session)
		if err != nil {
			provider.WriteAccessError(ctx, writer, access, err)
			return
		}
		response, err := provider.NewAccessResponse(ctx, access)
		if err != nil {
			provider.WriteAccessError(ctx, writer, access, err)
			return
		}
		// The token itself says nothing to who reads it.
		response.SetExtra("sub", session.GetSubject())
		provider.WriteAccessResponse(ctx, writer, access, response)
	})
}

type session struct{ *oauth2.JWTSession }

var _ rfc7523.Session = (*session)(nil)

func (s *session) SetSubject(subject string) { s.JWTSession.Subject = subject }

// keys is the memory of the library, but for one thing: it knows keys for one subject each, and a gateway that calls
// people by pseudonyms speaks of subjects that nobody knows before. So each key that the gateway publishes is for all.
type keys struct {
	*storage.MemoryStore
	trusted string
}

func (k *keys) GetPublicKeys(ctx context.Context, issuer, _ string) (*jose.JSONWebKeySet, error) {
	if issuer != k.trusted {
		return nil, fosite.ErrNotFound
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, k.trusted+"/jwks", nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the keys cannot be had: %s", response.Status)
	}
	var set jose.JSONWebKeySet
	return &set, json.NewDecoder(response.Body).Decode(&set)
}

func (k *keys) GetPublicKey(ctx context.Context, issuer, subject, keyID string) (*jose.JSONWebKey, error) {
	set, err := k.GetPublicKeys(ctx, issuer, subject)
	if err != nil {
		return nil, err
	}
	for _, key := range set.Key(keyID) {
		return &key, nil
	}
	return nil, fosite.ErrNotFound
}

func (k *keys) GetPublicKeyScopes(context.Context, string, string, string) ([]string, error) {
	return []string{scope}, nil
}
