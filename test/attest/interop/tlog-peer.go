// What golang.org/x/mod/sumdb/tlog, the log behind Go's checksum database, says of a log: one question on standard
// input, one answer on standard output, both JSON, bytes in hexadecimal.
package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/tlog"
)

// claim is an inclusion proof of the leaf with hash Old at index Index, or a consistency proof from the tree of
// Index leaves with root Old, to the tree of Size leaves with root Root.
type claim struct {
	Kind        string
	Size, Index int64
	Root, Old   string
	Proof       []string
}

type question struct {
	Leaves                 []string
	Inclusion, Consistency [][2]int64 // size and index, later and earlier size
	Claims                 []claim
}

type answer struct {
	LeafHashes  []string   `json:"leafHashes"`
	Roots       []string   `json:"roots"` // of the trees of 1, 2, 3 ... leaves
	Inclusion   [][]string `json:"inclusion"`
	Consistency [][]string `json:"consistency"`
	Claims      []bool     `json:"claims"`
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func bytesOf(text string) []byte {
	bytes, err := hex.DecodeString(text)
	must(err)
	return bytes
}

func texts(hashes []tlog.Hash) []string {
	all := make([]string, len(hashes))
	for i, hash := range hashes {
		all[i] = hex.EncodeToString(hash[:])
	}
	return all
}

// hashOf refuses what is no hash: the library's type has 32 bytes and no other number.
func hashOf(text string) (hash tlog.Hash, ok bool) {
	bytes := bytesOf(text)
	copy(hash[:], bytes)
	return hash, len(bytes) == tlog.HashSize
}

func holds(c claim) bool {
	root, ok := hashOf(c.Root)
	old, okOld := hashOf(c.Old)
	proof := make([]tlog.Hash, len(c.Proof))
	for i, text := range c.Proof {
		hash, okHash := hashOf(text)
		proof[i], ok = hash, ok && okHash
	}
	if !ok || !okOld {
		return false
	}
	if c.Kind == "inclusion" {
		return tlog.CheckRecord(proof, c.Size, root, c.Index, old) == nil
	}
	return tlog.CheckTree(proof, c.Size, root, c.Index, old) == nil
}

func main() {
	var asked question
	must(json.NewDecoder(os.Stdin).Decode(&asked))
	var said answer

	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			hashes[i] = stored[index]
		}
		return hashes, nil
	})
	for i, leaf := range asked.Leaves {
		hash := tlog.RecordHash(bytesOf(leaf))
		said.LeafHashes = append(said.LeafHashes, texts([]tlog.Hash{hash})...)
		hashes, err := tlog.StoredHashes(int64(i), bytesOf(leaf), reader)
		must(err)
		stored = append(stored, hashes...)
		root, err := tlog.TreeHash(int64(i)+1, reader)
		must(err)
		said.Roots = append(said.Roots, texts([]tlog.Hash{root})...)
	}
	for _, pair := range asked.Inclusion {
		proof, err := tlog.ProveRecord(pair[0], pair[1], reader)
		must(err)
		said.Inclusion = append(said.Inclusion, texts(proof))
	}
	for _, pair := range asked.Consistency {
		proof, err := tlog.ProveTree(pair[0], pair[1], reader)
		must(err)
		said.Consistency = append(said.Consistency, texts(proof))
	}
	for _, c := range asked.Claims {
		said.Claims = append(said.Claims, holds(c))
	}
	must(json.NewEncoder(os.Stdout).Encode(said))
}
