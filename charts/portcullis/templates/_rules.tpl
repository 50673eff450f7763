{{/*
What the operator does in a namespace it works in: the one table behind the ClusterRole and the Roles of namespaced mode. It may not
escalate: what it grants to the pods of a Gateway (see operator/workloads) it holds itself.
*/}}
{{- define "portcullis.rules" -}}
- apiGroups: [portcullis.dev]
  resources: [gateways, upstreams, policies, virtualkeys]
  verbs: [get, list, watch]
- apiGroups: [portcullis.dev]
  resources: [gateways/status, upstreams/status, policies/status, virtualkeys/status]
  verbs: [get, patch]
# Published configurations, keys for their owners, credentials of upstreams.
- apiGroups: ['']
  resources: [secrets, configmaps]
  verbs: [get, list, watch, create, update, patch, delete]
- apiGroups: ['']
  resources: [pods]
  verbs: [get, list, watch]
# What the pods have loaded.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, list, watch, create, patch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
# The workloads of a Gateway go with it; only what can be switched off is ever deleted.
- apiGroups: ['']
  resources: [services, serviceaccounts]
  verbs: [get, list, watch, create, patch]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [roles, rolebindings]
  verbs: [get, list, watch, create, patch]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
{{- end }}
