// Command apiserver runs a Kubernetes API server with its store on loopback.
//
//	apiserver FOLDER        serves https://127.0.0.1:16443 and writes FOLDER/kubeconfig
//	apiserver kubectl ...   runs kubectl
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

func address(text string) url.URL {
	parsed, err := url.Parse(text)
	fatal(err)
	return *parsed
}

const token = "test-token"

func store(folder string) {
	config := embed.NewConfig()
	config.Dir = filepath.Join(folder, "etcd")
	config.LogLevel = "error"
	client, peer := address("http://127.0.0.1:16379"), address("http://127.0.0.1:16380")
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	server, err := embed.StartEtcd(config)
	fatal(err)
	<-server.Server.ReadyNotify()
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "kubectl" {
		os.Args = os.Args[1:]
		os.Exit(cli.Run(cmd.NewDefaultKubectlCommand()))
	}
	if len(os.Args) != 2 {
		fatal(fmt.Errorf("usage: apiserver FOLDER | apiserver kubectl ..."))
	}
	folder := os.Args[1]
	fatal(os.MkdirAll(folder, 0o700))
	store(folder)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	fatal(err)
	der, err := x509.MarshalECPrivateKey(key)
	fatal(err)
	keyFile := filepath.Join(folder, "service-accounts.key")
	fatal(os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600))
	tokens := filepath.Join(folder, "tokens.csv")
	fatal(os.WriteFile(tokens, []byte(token+",admin,admin,system:masters\n"), 0o600))
	kubeconfig := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "https://127.0.0.1:16443", insecure-skip-tls-verify: true}}]
users: [{name: admin, user: {token: %s}}]
contexts: [{name: test, context: {cluster: test, user: admin}}]
current-context: test
`, token)
	fatal(os.WriteFile(filepath.Join(folder, "kubeconfig"), []byte(kubeconfig), 0o600))
	os.Args = []string{"kube-apiserver",
		"--etcd-servers=http://127.0.0.1:16379",
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--secure-port=16443",
		"--cert-dir=" + filepath.Join(folder, "certs"),
		"--service-account-issuer=https://test", "--service-account-key-file=" + keyFile, "--service-account-signing-key-file=" + keyFile,
		"--token-auth-file=" + tokens, "--authorization-mode=RBAC",
		"--service-cluster-ip-range=127.1.0.0/16",
		"--disable-admission-plugins=ServiceAccount",
		"--endpoint-reconciler-type=none",
	}
	os.Exit(cli.Run(app.NewAPIServerCommand()))
}
