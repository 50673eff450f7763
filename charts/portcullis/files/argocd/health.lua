-- Health of a Portcullis object for Argo CD. The same text serves all four kinds:
--   resource.customizations.health.portcullis.dev_Gateway, _Upstream, _Policy, _VirtualKey
-- Argo CD runs it without the string library.
local function is(status, message)
  return { status = status, message = message }
end

local status = obj.status
if status == nil or status.conditions == nil then
  return is("Progressing", "Waiting for the operator to report.")
end
local generation = obj.metadata.generation
if generation ~= nil and status.observedGeneration ~= generation then
  return is("Progressing", "Waiting for the operator to see the latest change.")
end

local found = {}
for _, condition in ipairs(status.conditions) do
  found[condition.type] = condition
end
local function says(type)
  local condition = found[type]
  return type .. ": " .. (condition.reason or "") .. ": " .. (condition.message or "")
end

-- What somebody has to mend.
for _, type in ipairs({ "Accepted", "ResolvedRefs" }) do
  if found[type] ~= nil and found[type].status == "False" then
    return is("Degraded", says(type))
  end
end

local ready = found.Ready
-- What somebody has asked for.
if ready ~= nil and ready.status == "False" then
  if ready.reason == "Paused" or ready.reason == "Disabled" or ready.reason == "Revoked" then
    return is("Suspended", says("Ready"))
  end
  if ready.reason == "Expired" then
    return is("Degraded", says("Ready"))
  end
end

-- Replicas come and go; every other reason of Programmed does not pass by itself.
local passing = {
  Pending = true,
  ReplicasBehind = true,
  ReplicaSilent = true,
  NoReadyReplica = true,
  Unavailable = true,
  Contended = true,
  Superseded = true,
}
for _, type in ipairs({ "Accepted", "ResolvedRefs", "Programmed", "Ready" }) do
  local condition = found[type]
  if condition == nil then
    return is("Progressing", "Waiting for condition " .. type .. ".")
  end
  if condition.status ~= "True" then
    if type == "Programmed" and condition.status == "False" and not passing[condition.reason] then
      return is("Degraded", says(type))
    end
    -- Every replica says so: somebody has to mend the credential or the way to the provider.
    for _, cause in ipairs({ "CredentialsValid", "Reachable" }) do
      if type == "Ready" and found[cause] ~= nil and found[cause].status == "False" then
        return is("Degraded", says(cause))
      end
    end
    return is("Progressing", says(type))
  end
end

-- It serves, and something about it is worth a look.
for _, type in ipairs({ "CredentialsValid", "Reachable", "ModelsAvailable" }) do
  if found[type] ~= nil and found[type].status == "False" then
    return is("Healthy", says(type))
  end
end
for _, type in ipairs({ "CredentialExpiring", "CredentialStale" }) do
  if found[type] ~= nil and found[type].status == "True" then
    return is("Healthy", says(type))
  end
end
if found.Overridden ~= nil and found.Overridden.status == "True" then
  return is("Healthy", says("Overridden"))
end
if found.RotationDue ~= nil and found.RotationDue.status == "True" then
  return is("Healthy", says("RotationDue"))
end
if found.Expiring ~= nil and found.Expiring.status == "True" then
  return is("Healthy", says("Expiring"))
end
return is("Healthy", ready.message)
