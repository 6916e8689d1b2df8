package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/zitadel/oidc/v3/pkg/client"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	"github.com/zitadel/oidc/v3/pkg/client/tokenexchange"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// request is one line of input.
type request struct {
	Do     string `json:"do"`
	Issuer string `json:"issuer"`
	Client string `json:"client"`
	// Key is a private key in PEM: the client authenticates with an assertion. Otherwise its secret is its name and "-secret".
	Key   string `json:"key"`
	KeyID string `json:"kid"`

	Token     string   `json:"token"`
	TokenType string   `json:"token_type"`
	Audience  []string `json:"audience"`
	Scopes    []string `json:"scopes"`
	Requested string   `json:"requested"`
}

func (r request) answer(ctx context.Context) (any, error) {
	switch r.Do {
	case "exchange":
		return r.exchange(ctx)
	case "verify":
		return r.verify(ctx)
	}
	return nil, fmt.Errorf("nothing to do: %q", r.Do)
}

// exchange finds the token endpoint through the metadata and asks it, as a client of the library does.
func (r request) exchange(ctx context.Context) (any, error) {
	exchanger, err := r.exchanger(ctx)
	if err != nil {
		return nil, err
	}
	return tokenexchange.ExchangeToken(ctx, exchanger, r.Token, oidc.TokenType(r.TokenType), "", "", nil, r.Audience,
		r.Scopes, oidc.TokenType(r.Requested))
}

func (r request) exchanger(ctx context.Context) (tokenexchange.TokenExchanger, error) {
	if r.Key == "" {
		return tokenexchange.NewTokenExchangerClientCredentials(ctx, r.Issuer, r.Client, r.Client+"-secret")
	}
	signer, err := client.NewSignerFromPrivateKeyByte([]byte(r.Key), r.KeyID)
	if err != nil {
		return nil, err
	}
	return tokenexchange.NewTokenExchangerJWTProfile(ctx, r.Issuer, r.Client, signer)
}

// verify verifies an access token by the keys that the metadata names, as a service of the library does.
func (r request) verify(ctx context.Context) (any, error) {
	found, err := client.Discover(ctx, r.Issuer, http.DefaultClient)
	if err != nil {
		return nil, err
	}
	verifier := op.NewAccessTokenVerifier(r.Issuer, rp.NewRemoteKeySet(http.DefaultClient, found.JwksURI),
		op.WithSupportedAccessTokenSigningAlgorithms("ES256"))
	claims, err := op.VerifyAccessToken[*oidc.AccessTokenClaims](ctx, r.Token, verifier)
	if err != nil {
		return nil, err
	}
	for _, audience := range r.Audience {
		if err := oidc.CheckAudience(claims, audience); err != nil {
			return nil, err
		}
	}
	return claims, nil
}
