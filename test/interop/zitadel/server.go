package main

import (
	"context"
	"crypto/rand"
	"net/http"
	"time"

	"github.com/zitadel/oidc/v3/pkg/client/rp"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// The library would take an assertion that was made an hour ago.
const maxAge = 5 * time.Minute

// server is the provider of the library with one difference: an assertion that is redeemed is not signed by its client,
// but by the gateway of another domain, whose keys are found where it publishes them.
type server struct {
	*op.Provider
	verifier *op.JWTProfileVerifier
}

func (s server) JWTProfileVerifier(context.Context) *op.JWTProfileVerifier { return s.verifier }

// newServer serves the grants client_credentials, for tokens that are for audience, and jwt-bearer, for assertions of
// trusted.
func newServer(issuer, trusted, audience string) (http.Handler, error) {
	storage, err := newStorage(audience)
	if err != nil {
		return nil, err
	}
	config := &op.Config{}
	if _, err := rand.Read(config.CryptoKey[:]); err != nil {
		return nil, err
	}
	provider, err := op.NewProvider(config, storage, op.StaticIssuer(issuer), op.WithAllowInsecure())
	if err != nil {
		return nil, err
	}
	keys := rp.NewRemoteKeySet(http.DefaultClient, trusted+"/jwks")
	verifier := op.NewJWTProfileVerifierKeySet(keys, issuer, maxAge, time.Second,
		op.SubjectCheck(func(assertion *oidc.JWTTokenRequest) error {
			if assertion.Issuer != trusted {
				return oidc.ErrInvalidGrant().WithDescription("not an issuer whose grants are taken")
			}
			if assertion.JWTID == "" || assertion.Subject == "" {
				return oidc.ErrInvalidGrant().WithDescription("jti and sub are needed")
			}
			return nil
		}))
	return op.CreateRouter(server{provider, verifier}), nil
}
