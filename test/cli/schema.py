"""The part of JSON Schema (draft 7) that share/schemas uses; unknown words of a schema are errors."""
import json
import os

KNOWN = set("$schema title description type properties required additionalProperties items enum oneOf $ref definitions minimum "
            "maximum exclusiveMinimum exclusiveMaximum minItems maxItems maxProperties default examples".split())
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


def load(name):
    with open(os.path.join(os.environ["ASSAY_SOURCE"], "share/schemas", name)) as f:
        return json.load(f)


def is_type(value, name):
    if name == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if name == "integer":
        return is_type(value, "number") and value == int(value)
    return isinstance(value, TYPES[name])


def mistakes(value, schema, root=None, path="$"):
    """What is wrong with a value, as a list of texts."""
    root = schema if root is None else root
    assert set(schema) <= KNOWN, set(schema) - KNOWN
    if "$ref" in schema:
        name = schema["$ref"]
        if not name.startswith("#/definitions/"):
            return mistakes(value, load(name), None, path)
        return mistakes(value, root["definitions"][name.rsplit("/", 1)[1]], root, path)
    if "oneOf" in schema:
        tried = [mistakes(value, one, root, path) for one in schema["oneOf"]]
        matching = sum(not one for one in tried)
        return [] if matching == 1 else ["%s: fits %d forms, not one: %s" % (path, matching, sorted(tried, key=len)[0][:1])]
    found = []
    if "type" in schema and not is_type(value, schema["type"]):
        return ["%s: no %s" % (path, schema["type"])]
    if "enum" in schema and value not in schema["enum"]:
        found.append("%s: %r is none of %s" % (path, value, schema["enum"]))
    if is_type(value, "number"):
        if value < schema.get("minimum", value) or value > schema.get("maximum", value) or \
                value <= schema.get("exclusiveMinimum", value - 1) or value >= schema.get("exclusiveMaximum", value + 1):
            found.append("%s: %r is out of range" % (path, value))
    if isinstance(value, list):
        if len(value) < schema.get("minItems", 0) or len(value) > schema.get("maxItems", len(value)):
            found.append("%s: %d items" % (path, len(value)))
        for i, one in enumerate(value):
            found += mistakes(one, schema.get("items", {}), root, "%s[%d]" % (path, i))
    if isinstance(value, dict):
        if len(value) > schema.get("maxProperties", len(value)):
            found.append("%s: too many keys" % path)
        found += ["%s: lacks %s" % (path, key) for key in schema.get("required", []) if key not in value]
        for key, one in value.items():
            inner = schema.get("properties", {}).get(key, schema.get("additionalProperties", {}))
            if inner is False:
                found.append("%s: unknown key %s" % (path, key))
            elif inner is not True:
                found += mistakes(one, inner, root, path + "." + key)
    return found
