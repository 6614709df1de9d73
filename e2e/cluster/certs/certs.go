// Package certs is a small certificate authority: what a cluster's parts show each other.
package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"time"
)

// A cluster lives for hours; ten years means nobody ever debugs an expired one.
const validity = 10 * 365 * 24 * time.Hour

// Pair is a certificate and its private key, both PEM.
type Pair struct{ Cert, Key []byte }

// Authority signs.
type Authority struct {
	Pair
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Subject is whom a certificate speaks for. For Kubernetes the name is the user and the groups are the organizations.
type Subject struct {
	Name   string
	Groups []string
	DNS    []string
	IPs    []netip.Addr
}

// NewAuthority makes one that signs itself.
func NewAuthority(name string) (Authority, error) {
	template, err := unsigned(Subject{Name: name})
	if err != nil {
		return Authority{}, err
	}
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	pair, key, err := sign(template, nil, nil)
	if err != nil {
		return Authority{}, fmt.Errorf("certificate authority %s: %w", name, err)
	}
	block, _ := pem.Decode(pair.Cert)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return Authority{}, fmt.Errorf("certificate authority %s: %w", name, err)
	}
	return Authority{Pair: pair, cert: cert, key: key}, nil
}

// Issue makes a certificate that serves for both ends of a connection: a kubelet is client and server under one name.
func (a Authority) Issue(subject Subject) (Pair, error) {
	template, err := unsigned(subject)
	if err != nil {
		return Pair{}, err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	pair, _, err := sign(template, a.cert, a.key)
	if err != nil {
		return Pair{}, fmt.Errorf("certificate of %s: %w", subject.Name, err)
	}
	return pair, nil
}

// NewKey makes a private key alone: what signs service account tokens.
func NewKey() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return encodeKey(key)
}

func unsigned(subject Subject) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("making a serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: subject.Name, Organization: subject.Groups},
		DNSNames:     subject.DNS,
		NotBefore:    time.Now().Add(-time.Hour), // clocks that step back a little
		NotAfter:     time.Now().Add(validity),
	}
	for _, ip := range subject.IPs {
		template.IPAddresses = append(template.IPAddresses, net.IP(ip.AsSlice()))
	}
	return template, nil
}

// sign makes a key for the template and signs it with the parent's, or with its own when there is no parent.
func sign(template, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (Pair, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, nil, err
	}
	if parent == nil {
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		return Pair{}, nil, err
	}
	encoded, err := encodeKey(key)
	if err != nil {
		return Pair{}, nil, err
	}
	return Pair{Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), Key: encoded}, key, nil
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding a key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}
