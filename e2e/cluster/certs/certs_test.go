package certs

import (
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"testing"
)

func TestIssuedCertificateIsTrustedForItsNames(t *testing.T) {
	authority, err := NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := authority.Issue(Subject{
		Name: "system:node:a-1", Groups: []string{"system:nodes"},
		DNS: []string{"a-1"}, IPs: []netip.Addr{netip.MustParseAddr("10.78.0.11")},
	})
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority.Cert)
	for _, host := range []string{"a-1", "10.78.0.11"} {
		if _, err := loaded.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots}); err != nil {
			t.Error(err)
		}
	}
	if _, err := loaded.Leaf.Verify(x509.VerifyOptions{DNSName: "10.78.0.12", Roots: roots}); err == nil {
		t.Error("it speaks for an address it was not given")
	}
	if got := loaded.Leaf.Subject; got.CommonName != "system:node:a-1" || got.Organization[0] != "system:nodes" {
		t.Errorf("subject %v", got)
	}
}
