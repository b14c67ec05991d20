package ram

import "encoding/json"

// SystemPolicies are the built-in permission policies by name, as the cloud's system policies of the same name as far as
// fcd knows the actions.
func SystemPolicies() map[string]json.RawMessage {
	return map[string]json.RawMessage{
		"AdministratorAccess": allow(`"*"`),
		"AliyunFCFullAccess": json.RawMessage(`{"Version":"1","Statement":[
			{"Effect":"Allow","Action":"fc:*","Resource":"*"},
			{"Effect":"Allow","Action":"ram:PassRole","Resource":"*","Condition":{"StringEquals":{"acs:Service":"fc.aliyuncs.com"}}}]}`),
		"AliyunFCInvocationAccess":             allow(`"fc:InvokeFunction"`),
		"AliyunFCReadOnlyAccess":               allow(`["fc:Get*","fc:List*"]`),
		"AliyunOSSFullAccess":                  allow(`"oss:*"`),
		"AliyunOSSReadOnlyAccess":              allow(`["oss:Get*","oss:List*"]`),
		"AliyunOSSEventNotificationRolePolicy": allow(`"fc:InvokeFunction"`),
		"AliyunLogFullAccess":                  allow(`"log:*"`),
		"AliyunLogReadOnlyAccess":              allow(`["log:Get*","log:List*"]`),
		"AliyunLogETLRolePolicy":               allow(`["fc:InvokeFunction","log:Get*","log:List*","log:PostLogStoreLogs"]`),
	}
}

func allow(actions string) json.RawMessage {
	return json.RawMessage(`{"Version":"1","Statement":[{"Effect":"Allow","Action":` + actions + `,"Resource":"*"}]}`)
}
