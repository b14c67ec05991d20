package fc

import "time"

// Service groups functions that share a role, a log store and a network setting.
// As a stored record it is never changed in place: an update makes a new value.
type Service struct {
	Name             string         `json:"serviceName"`
	ID               string         `json:"serviceId"` // UUID, given at create
	Description      string         `json:"description"`
	Role             string         `json:"role"` // "" or acs:ram::<digits>:role/<name>
	LogConfig        LogConfig      `json:"logConfig"`
	VPCConfig        *VPCConfig     `json:"vpcConfig,omitempty"` // stored and echoed only
	NASConfig        *NASConfig     `json:"nasConfig,omitempty"` // stored and echoed only
	TracingConfig    *TracingConfig `json:"tracingConfig,omitempty"`
	InternetAccess   bool           `json:"internetAccess"` // default true
	CreatedTime      time.Time      `json:"createdTime"`
	LastModifiedTime time.Time      `json:"lastModifiedTime"`
}

// Validate checks every field of the service. Errors are *Error with InvalidArgument and name the field and the value.
func (s *Service) Validate() error {
	if err := ValidateName("ServiceName", s.Name, MaxNameLength); err != nil {
		return err
	}
	if err := validateDescription(s.Description); err != nil {
		return err
	}
	if err := ValidateRole("Role", s.Role); err != nil {
		return err
	}
	if err := s.LogConfig.validate(); err != nil {
		return err
	}
	return s.VPCConfig.validate()
}

// LogConfig names the logstore that function logs are shipped to. Both fields are empty (no shipping) or neither is.
type LogConfig struct {
	Project  string `json:"project"`
	Logstore string `json:"logstore"`
}

func (l LogConfig) validate() error {
	switch {
	case l.Project == "" && l.Logstore != "":
		return InvalidField("LogConfig.Project", "a project together with the logstore, or neither", "")
	case l.Project != "" && l.Logstore == "":
		return InvalidField("LogConfig.Logstore", "a logstore together with the project, or neither", "")
	}
	return nil
}

// VPCConfig is kept for clients that send it; fcd does not act on it.
type VPCConfig struct {
	VPCID           string   `json:"vpcId"`
	VSwitchIDs      []string `json:"vSwitchIds"`
	SecurityGroupID string   `json:"securityGroupId"`
}

func (v *VPCConfig) validate() error {
	switch {
	case v == nil:
		return nil
	case v.VPCID == "":
		return MissingField("VpcConfig.VpcId")
	case len(v.VSwitchIDs) == 0:
		return MissingField("VpcConfig.VSwitchIds")
	case v.SecurityGroupID == "":
		return MissingField("VpcConfig.SecurityGroupId")
	}
	return nil
}

// NASConfig is kept for clients that send it; fcd does not act on it.
type NASConfig struct {
	UserID      int64        `json:"userId"`
	GroupID     int64        `json:"groupId"`
	MountPoints []MountPoint `json:"mountPoints"`
}

// MountPoint is one file system of a NASConfig.
type MountPoint struct {
	ServerAddr string `json:"serverAddr"`
	MountDir   string `json:"mountDir"`
}

// TracingConfig is kept for clients that send it; nil fields are answered as null.
type TracingConfig struct {
	Type   *string        `json:"type"`
	Params map[string]any `json:"params"`
}
