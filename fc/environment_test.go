package fc_test

import (
	"strings"
	"testing"

	"fcd/fc"
)

func TestValidateEnvironment(t *testing.T) {
	tests := []struct {
		name string
		env  map[string]string
		want string
	}{
		{"none", nil, ""},
		{"what the deployment tool fun sends", map[string]string{"LD_LIBRARY_PATH": "/code/.fun/root/usr/lib",
			"PATH": "/code/.fun/root/usr/local/bin", "PYTHONUSERBASE": "/code/.fun/python"}, ""},
		{"exactly 4096 bytes", map[string]string{"A": strings.Repeat("x", 4095)}, ""},
		{"4097 bytes", map[string]string{"A": strings.Repeat("x", 4096)},
			"EnvironmentVariables is set to an invalid value (allowed: keys and values of at most 4096 bytes together, actual: '4097 bytes')"},
		{"an empty key", map[string]string{"": "x"}, "EnvironmentVariables is set to"},
		{"a key that begins with an underscore", map[string]string{"_A": "x"}, "EnvironmentVariables is set to"},
		{"a key with an equals sign", map[string]string{"A=B": "x"}, "EnvironmentVariables is set to"},
		{"a reserved prefix", map[string]string{"FC_REGION": "x"}, "EnvironmentVariables is set to"},
		{"a reserved key", map[string]string{"accessKeyID": "x"}, "EnvironmentVariables is set to"},
		{"the reserved key topic", map[string]string{"topic": "x"}, "EnvironmentVariables is set to"},
		{"a newline in a value", map[string]string{"A": "x\ny"}, "EnvironmentVariables is set to"},
		{"a letter outside ASCII in a value", map[string]string{"A": "é"}, "EnvironmentVariables is set to"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wantInvalid(t, fc.ValidateEnvironment(tt.env, fc.DefaultLimits()), tt.want)
		})
	}
}

func TestValidateEnvironmentKeepsValuesOutOfErrors(t *testing.T) {
	err := fc.ValidateEnvironment(map[string]string{"TOKEN": "s3cr\x00et"}, fc.DefaultLimits())
	if err == nil || strings.Contains(err.Error(), "s3cr") {
		t.Errorf("got %v, want an error without the value", err)
	}
}
