// Command istiod serves, by gRPC, the xDS that Istio's own push code makes from files. It needs no cluster and no
// certificates.
//
//	istiod HOST:PORT KUBERNETES_OBJECTS.yaml ISTIO_CONFIG.yaml...
//
// The push code is the one that istiod runs. Only the stores behind it are filled from the files.
package main

import (
	"fmt"
	"net"
	"os"
	"strings"

	"google.golang.org/protobuf/types/known/wrapperspb"
	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pkg/config/mesh"
)

// process is the test.Failer of a program that is not a test. Any failure ends the program.
type process struct{}

func (process) Fail()    { os.Exit(2) }
func (process) FailNow() { os.Exit(2) }
func (process) Fatal(args ...any) {
	fmt.Fprintln(os.Stderr, args...)
	os.Exit(2)
}

func (process) Fatalf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(2)
}
func (process) Log(args ...any)                 { fmt.Fprintln(os.Stderr, args...) }
func (process) Logf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
func (process) TempDir() string {
	folder, err := os.MkdirTemp("", "istiod")
	if err != nil {
		panic(err)
	}
	return folder
}
func (process) Helper()        {}
func (process) Cleanup(func()) {}
func (process) Skip(...any)    {}

func read(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	return string(text)
}

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: istiod HOST:PORT KUBERNETES_OBJECTS.yaml ISTIO_CONFIG.yaml...")
		os.Exit(2)
	}
	var configs []string
	for _, path := range os.Args[3:] {
		configs = append(configs, read(path))
	}
	settings := mesh.DefaultMeshConfig()
	settings.RootNamespace = "istio-system"
	settings.AccessLogFile = "/dev/stdout"
	settings.EnableAutoMtls = wrapperspb.Bool(false) // no certificates are served here
	xds.NewFakeDiscoveryServer(process{}, xds.FakeOptions{
		KubernetesObjectString: read(os.Args[2]),
		ConfigString:           strings.Join(configs, "\n---\n"),
		MeshConfig:             settings,
		ListenerBuilder:        func() (net.Listener, error) { return net.Listen("tcp", os.Args[1]) },
	})
	fmt.Println("serving", os.Args[1])
	select {}
}
