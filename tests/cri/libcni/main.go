// SPDX-License-Identifier: GPL-2.0-or-later
//
// libcni VERB LIST NETNS: one call of CNI's own library, as a runtime makes it.  VERB is add, check, del, gc, status or
// validate, which asks each plugin for its versions.  Plugins are looked for in CNI_PATH; CNI_ARGS is handed on as K=V;K=V;
// CAPABILITY_ARGS is the JSON object of what the runtime knows of the pod.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/containernetworking/cni/libcni"
)

func call(verb, file, netns string) error {
	ctx := context.Background()
	list, err := libcni.ConfListFromFile(file)
	if err != nil {
		return err
	}
	cni := libcni.NewCNIConfig(filepath.SplitList(os.Getenv("CNI_PATH")), nil)
	pod := &libcni.RuntimeConf{ContainerID: "c0ffee", NetNS: netns, IfName: "eth0"}
	for _, pair := range strings.Split(os.Getenv("CNI_ARGS"), ";") {
		if key, value, found := strings.Cut(pair, "="); found {
			pod.Args = append(pod.Args, [2]string{key, value})
		}
	}
	if text := os.Getenv("CAPABILITY_ARGS"); text != "" {
		if err := json.Unmarshal([]byte(text), &pod.CapabilityArgs); err != nil {
			return err
		}
	}
	switch verb {
	case "add":
		result, err := cni.AddNetworkList(ctx, list, pod)
		if err != nil {
			return err
		}
		return result.Print()
	case "check":
		return cni.CheckNetworkList(ctx, list, pod)
	case "del":
		return cni.DelNetworkList(ctx, list, pod)
	case "gc":
		return cni.GCNetworkList(ctx, list, &libcni.GCArgs{})
	case "status":
		return cni.GetStatusNetworkList(ctx, list)
	case "validate":
		_, err := cni.ValidateNetworkList(ctx, list)
		return err
	}
	return fmt.Errorf("no such verb: %s", verb)
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: libcni VERB LIST NETNS")
		os.Exit(64)
	}
	if err := call(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
