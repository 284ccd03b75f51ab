// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the suite needs of Kubernetes, in one program:
//
//	kubernetes apiserver ETCD-FOLDER ETCD-PORT FLAG...   the API server with an embedded etcd, in one process
//	kubernetes kubectl ARGUMENT...                       kubectl
package main

import (
	"fmt"
	"net/url"
	"os"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func etcd(dir, port string) error {
	cfg := embed.NewConfig()
	client, peer := url.URL{Scheme: "http", Host: "127.0.0.1:" + port}, url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	cfg.Dir, cfg.LogLevel, cfg.LogOutputs = dir, "error", []string{"stderr"}
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	cfg.UnsafeNoFsync = true // the database is thrown away
	server, err := embed.StartEtcd(cfg)
	if err != nil {
		return err
	}
	select {
	case <-server.Server.ReadyNotify():
		return nil
	case err := <-server.Err():
		return err
	case <-time.After(30 * time.Second):
		return fmt.Errorf("not ready after 30 s")
	}
}

func main() {
	switch {
	case len(os.Args) > 3 && os.Args[1] == "apiserver":
		if err := etcd(os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, "etcd:", err)
			os.Exit(1)
		}
		os.Args = append([]string{"kube-apiserver", "--etcd-servers=http://127.0.0.1:" + os.Args[3]}, os.Args[4:]...)
		os.Exit(cli.Run(app.NewAPIServerCommand()))
	case len(os.Args) > 1 && os.Args[1] == "kubectl":
		os.Args = append([]string{"kubectl"}, os.Args[2:]...)
		if cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()) != nil {
			os.Exit(1)
		}
	default:
		fmt.Fprintln(os.Stderr, "usage: kubernetes apiserver ETCD-FOLDER ETCD-PORT FLAG... | kubernetes kubectl ARGUMENT...")
		os.Exit(64)
	}
}
