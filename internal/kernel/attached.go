package kernel

import "inos/internal/mesh"

// Mesh returns the mesh that is attached, or ErrNoMesh.
func (k *Kernel) Mesh() (mesh.Mesh, error) { return k.theMesh() }
