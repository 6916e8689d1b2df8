package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

const lifetime = time.Minute

// storage is what the provider knows. What a provider of two grants never asks is left to the empty interface.
type storage struct {
	op.Storage
	key      *ecdsa.PrivateKey
	audience string

	mutex sync.Mutex
	used  map[string]bool
}

func newStorage(audience string) (*storage, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return &storage{key: key, audience: audience, used: map[string]bool{}}, nil
}

// ClientCredentials knows one client, which is what may ask for tokens of its own.
func (s *storage) ClientCredentials(_ context.Context, id, secret string) (op.Client, error) {
	if id != "service" || secret != "service-secret" {
		return nil, errors.New("no such client")
	}
	return service{}, nil
}

func (s *storage) ClientCredentialsTokenRequest(_ context.Context, id string, scopes []string) (op.TokenRequest, error) {
	audience := s.audience
	if slices.Contains(scopes, "elsewhere") {
		audience = "https://elsewhere.example"
	}
	return tokenRequest{subject: id, audience: audience, scopes: scopes}, nil
}

// CreateAccessToken is asked when everything has been verified: a grant is redeemed once.
func (s *storage) CreateAccessToken(_ context.Context, asked op.TokenRequest) (string, time.Time, error) {
	if assertion, ok := asked.(*oidc.JWTTokenRequest); ok {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		if s.used[assertion.JWTID] {
			return "", time.Time{}, oidc.ErrInvalidGrant().WithDescription("used before")
		}
		s.used[assertion.JWTID] = true
	}
	return rand.Text(), time.Now().Add(lifetime), nil
}

// JWTProfileTokenType makes tokens for grants that can be read.
func (s *storage) JWTProfileTokenType(context.Context, op.TokenRequest) (op.AccessTokenType, error) {
	return op.AccessTokenTypeJWT, nil
}

func (s *storage) ValidateJWTProfileScopes(_ context.Context, _ string, scopes []string) ([]string, error) {
	for _, scope := range scopes {
		if scope != "claims.create" {
			return nil, oidc.ErrInvalidScope()
		}
	}
	return scopes, nil
}

func (s *storage) GetPrivateClaimsFromScopes(_ context.Context, _, _ string, scopes []string) (map[string]any, error) {
	return map[string]any{"scope": oidc.SpaceDelimitedArray(scopes)}, nil
}

func (s *storage) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.ES256}, nil
}

func (s *storage) SigningKey(context.Context) (op.SigningKey, error) { return signingKey{s.key}, nil }

func (s *storage) KeySet(context.Context) ([]op.Key, error) { return []op.Key{publicKey{s.key}}, nil }

func (s *storage) Health(context.Context) error { return nil }

type signingKey struct{ key *ecdsa.PrivateKey }

func (signingKey) ID() string                                  { return "peer-1" }
func (signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.ES256 }
func (k signingKey) Key() any                                  { return k.key }

type publicKey struct{ key *ecdsa.PrivateKey }

func (publicKey) ID() string                         { return "peer-1" }
func (publicKey) Algorithm() jose.SignatureAlgorithm { return jose.ES256 }
func (publicKey) Use() string                        { return "sig" }
func (k publicKey) Key() any                         { return &k.key.PublicKey }

type tokenRequest struct {
	subject, audience string
	scopes            []string
}

func (t tokenRequest) GetSubject() string    { return t.subject }
func (t tokenRequest) GetAudience() []string { return []string{t.audience} }
func (t tokenRequest) GetScopes() []string   { return t.scopes }

// service is the one client.
type service struct{ op.Client }

func (service) GetID() string { return "service" }
func (service) GrantTypes() []oidc.GrantType {
	return []oidc.GrantType{oidc.GrantTypeClientCredentials}
}
func (service) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }
func (service) ClockSkew() time.Duration            { return 0 }
func (service) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}
